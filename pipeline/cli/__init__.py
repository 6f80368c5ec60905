"""The `higgs` command: one file per group of subcommands."""
