"""The subcommands of `gpubt`; each module is imported when its command is called."""
