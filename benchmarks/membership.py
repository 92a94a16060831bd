"""How fast the membership processor is, beside Kafka Streams and Quix Streams. See `benchmarks/README.md`."""

from membership.command import main

if __name__ == "__main__":
    main()
