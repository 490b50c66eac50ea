"""`python -m modelport` is the command `modelport`."""

from modelport.composition.cli.main import main

if __name__ == "__main__":
    main()
