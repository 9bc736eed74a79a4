"""``python -m okuru send``: what the ``okuru`` command does, without installing that."""

import sys

from okuru._command.send import main

if __name__ == "__main__":
    sys.exit(main())
