"""Phone systems that we can watch: one package each, none knows another."""
