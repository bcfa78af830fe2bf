"""Reads a whole topic with a foreign client: frames as Confluent's serializers write them, schemas from the registry.

Usage: read_topic.py BROKERS REGISTRY_URL TOPIC
Prints one JSON object: messages, readings, and the ids of all events.
"""

import io
import json
import struct
import sys
import urllib.request

import fastavro
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, TopicPartition

brokers, registry, topic = sys.argv[1:]
schemas = {}


def schema(schema_id):
    if schema_id not in schemas:
        with urllib.request.urlopen(f"{registry}/schemas/ids/{schema_id}", timeout=10) as answer:
            schemas[schema_id] = fastavro.parse_schema(json.loads(json.load(answer)["schema"]))
    return schemas[schema_id]


consumer = Consumer({
    "bootstrap.servers": brokers,
    "group.id": "a-foreign-reader",
    "enable.auto.commit": False,
    "enable.partition.eof": True,
})
partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in partitions])
left, messages, readings, ids = set(partitions), 0, 0, set()
while left:
    message = consumer.poll(30)
    if message is None:
        sys.exit("nothing came for 30 s")
    if message.error():
        if message.error().code() != KafkaError._PARTITION_EOF:
            sys.exit(str(message.error()))
        left.discard(message.partition())
        continue
    magic, schema_id = struct.unpack(">bI", message.value()[:5])
    if magic != 0:
        sys.exit(f"no frame at {message.partition()}/{message.offset()}")
    event = fastavro.schemaless_reader(io.BytesIO(message.value()[5:]), schema(schema_id))
    messages += 1
    readings += len(event.get("samples", ()))
    ids.add(str(event["event_id"]))
consumer.close()
print(json.dumps({"messages": messages, "readings": readings, "ids": sorted(ids)}))
