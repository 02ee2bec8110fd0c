"""`python -m ncodec` is the `ncodec` command."""

from ncodec.cli.main import main

main()
