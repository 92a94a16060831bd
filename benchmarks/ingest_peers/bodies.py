"""The messages that are sent: the shape of a real-time message, two users with eight segments each, 1.6 KB."""

import json
import random
from pathlib import Path

_COUNT = 64


def write(path: Path) -> float:
    """Write the bodies, one a line; return their mean size in bytes."""
    draw = random.Random(7)
    bodies = [json.dumps(_message(draw)) for _ in range(_COUNT)]
    path.write_text("\n".join(bodies) + "\n", encoding="ascii")
    return sum(map(len, bodies)) / _COUNT


def _message(draw: random.Random) -> dict[str, object]:
    return {
        "ProcessTime": "Wed Jul 27 16:17:42 UTC 2016",
        "User_DPID": "12345",
        "Client_ID": "74323",
        "AAM_Destination_Id": "423",
        "User_count": "2",
        "Users": [
            {
                "AAM_UUID": str(draw.randrange(10**37, 10**38)),
                "DataPartner_UUID": str(draw.randrange(10**15, 10**16)),
                "AAM_Regions": ["9"],
                "Segments": [
                    {
                        "Segment_ID": str(draw.randrange(10_000, 100_000)),
                        "Status": str(int(draw.random() < 0.8)),
                        "DateTime": "Wed Jul 27 16:17:22 UTC 2016",
                    }
                    for _ in range(8)
                ],
            }
            for _ in range(2)
        ],
    }
