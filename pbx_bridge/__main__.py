"""`python -m pbx_bridge` is `pbx-bridge`."""

from pbx_bridge.cli import main

main(prog_name="pbx-bridge")
