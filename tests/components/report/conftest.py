from browser import any_browser, browser  # noqa: F401 (fixtures)
from report_parts import complete_run, make, run_folder  # noqa: F401 (fixtures)
