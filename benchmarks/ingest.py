"""What a message costs the ingest endpoint, beside FastAPI, Go and Bento. See `benchmarks/README.md`."""

from ingest_peers.command import main

if __name__ == "__main__":
    main()
