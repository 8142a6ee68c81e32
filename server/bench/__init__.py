"""`scrip bench`: what Scrip does on this machine, each figure as a ratio against its limit, measured in the same run.

Machines differ and are noisy; the ratio of two things that ran side by side, in turns, says more than either. A stage
(a database, a server and a load generator, each a process of its own) is built for the run and thrown away.

    cli_bench → suite → benchmarks (mutations, ingestion, reading, storing, pixels) → stage → load | server | PostgreSQL
                       benchmarks in a browser (pixels, embedding, peers) → browser; peers → packing → npm, esbuild
"""
