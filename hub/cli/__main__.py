"""``python -m hub.cli``: the command without its script."""

from hub.cli import main

if __name__ == "__main__":
    main()
