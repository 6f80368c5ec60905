// Clicking a heading sorts its table; clicking again reverses the order.
for (const table of document.querySelectorAll("table.sortable")) {
  const headings = [...table.tHead.rows[0].cells];
  const body = table.tBodies[0];
  const key = (row, column) => {
    const cell = row.cells[column];
    const text = cell.dataset.value ?? cell.textContent.trim();
    const number = { inf: Infinity, "-inf": -Infinity }[text] ?? parseFloat(text);
    return cell.dataset.value === undefined ? text : isNaN(number) ? -Infinity : number;
  };
  headings.forEach((heading, column) => {
    const button = document.createElement("button");
    button.append(...heading.childNodes);
    heading.append(button);
    button.addEventListener("click", () => {
      const down = heading.getAttribute("aria-sort") === "ascending";
      for (const other of headings) other.removeAttribute("aria-sort");
      heading.setAttribute("aria-sort", down ? "descending" : "ascending");
      const compare = (a, b) => {
        const [x, y] = [key(a, column), key(b, column)];
        return typeof x === "string" ? x.localeCompare(y, "en", { numeric: true }) : x > y ? 1 : x < y ? -1 : 0;
      };
      const rows = [...body.rows].sort(compare);
      body.append(...(down ? rows.reverse() : rows));
    });
  });
}
