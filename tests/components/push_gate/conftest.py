from report_parts import complete_run, make, run_folder  # noqa: F401 (fixtures)
