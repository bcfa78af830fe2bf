"""Writes uploads with a foreign client: one codec, small messages and large ones, as they are or in transactions.

Usage: write_events.py BROKERS REGISTRY_URL CODEC {plain,transactions} DEVICE
Steps of a day, 15 minutes a message, and two exercises of 900 kB and of 4 MB, which do not compress well. In transactions
every fourth upload of steps is sent once more under another id, in a transaction that is aborted.
Prints one JSON object: the ids of what must arrive, by topic, and of what must not.
"""

import io
import json
import random
import struct
import sys
import time
import urllib.request
import uuid

import fastavro
from confluent_kafka import Producer

brokers, registry, codec, mode, device = sys.argv[1:]
QUARTER_MS, DAY_MS = 15 * 60_000, 86_400_000
DAY_START = int(time.time() * 1000) // DAY_MS * DAY_MS - 3 * DAY_MS
LARGE_BYTES = (900_000, 4_000_000)


def schema(topic):
    url = f"{registry}/subjects/{topic}-value/versions/latest"
    with urllib.request.urlopen(url, timeout=10) as answer:
        found = json.load(answer)
    return found["id"], fastavro.parse_schema(json.loads(found["schema"]))


schemas = {topic: schema(topic) for topic in ("fitbit.steps", "fitbit.exercises")}
failed = []


def send(topic, event):
    schema_id, parsed = schemas[topic]
    body = io.BytesIO()
    body.write(struct.pack(">bI", 0, schema_id))
    fastavro.schemaless_writer(body, parsed, event)
    producer.produce(topic, body.getvalue(), device, on_delivery=lambda e, _: failed.append(str(e)) if e else None)


def upload(start, end, more):
    return {
        "event_id": str(uuid.uuid4()),
        "device_id": device,
        "synced_at": end + DAY_MS,
        "utc_offset_minutes": 0,
        "window_start": start,
        "window_end": end,
        "extra": None,
        **more,
    }


def steps(number):
    start = DAY_START + number * QUARTER_MS
    samples = [{"ts": start + minute * 60_000, "steps": minute + 1} for minute in range(15)]
    return upload(start, start + QUARTER_MS, {"samples": samples})


def exercise(number, size):
    start = DAY_START + number * 4 * QUARTER_MS
    text = "".join(random.choices("0123456789abcdef", k=size))
    nothing = ("activity_type_id", "log_type", "active_duration_ms", "average_heart_rate", "calories", "steps",
               "distance", "distance_unit", "speed", "pace", "elevation_gain", "has_gps")
    return upload(start, start + QUARTER_MS, {
        "end_utc_offset_minutes": 0,
        "log_id": number + 1,
        "activity_name": "Walk",
        "duration_ms": QUARTER_MS,
        "levels": [],
        "heart_rate_zones": [],
        **dict.fromkeys(nothing),
        "extra": json.dumps({"track": text}),
    })


settings = {
    "bootstrap.servers": brokers,
    "compression.type": codec,
    "enable.idempotence": True,
    "message.max.bytes": 8_000_000,
    "linger.ms": 50,
}
if mode == "transactions":
    settings["transactional.id"] = f"a-foreign-writer-{codec}"
producer = Producer(settings)
in_transactions = mode == "transactions"
if in_transactions:
    producer.init_transactions(30)
arrive, stay_away = {"fitbit.steps": [], "fitbit.exercises": []}, []


def settled(events, is_kept=True):
    """Sends them, in a transaction of their own where asked for."""
    if in_transactions:
        producer.begin_transaction()
    for topic, event in events:
        send(topic, event)
        (arrive[topic] if is_kept else stay_away).append(event["event_id"])
    producer.flush(60)
    if in_transactions and is_kept:
        producer.commit_transaction(30)
    elif in_transactions:
        producer.abort_transaction(30)


for first in range(0, 96, 24):
    settled([("fitbit.steps", steps(number)) for number in range(first, first + 24)])
    if in_transactions:
        settled([("fitbit.steps", steps(number)) for number in range(first, first + 24, 4)], is_kept=False)
for number, size in enumerate(LARGE_BYTES):
    settled([("fitbit.exercises", exercise(number, size))])
if failed:
    sys.exit("; ".join(failed[:3]))
print(json.dumps({"arrive": arrive, "stay_away": stay_away}))
