"""Counts what published exports hold, by itself: which rows raw must have of each person and stream.

    python3 scripts/count_samples.py account DIR NAME     an account export, unpacked
    python3 scripts/count_samples.py fitabase DIR         Fitabase tables

Prints `device stream rows`, one line each. Shares no code with the program that it checks.
"""

import csv
import glob
import gzip
import json
import os
import sys
import uuid
from collections import defaultdict
from datetime import datetime

NAMESPACE = uuid.UUID(int=0x8F2B6A1C54D74E0B9C3E71A5D20F63B8)


def device(name):
    return uuid.uuid5(NAMESPACE, f"device/{name}")


def records(folder, kind):
    for path in sorted(glob.glob(f"{folder}/**/{kind}-*.json", recursive=True)):
        with open(path) as file:
            yield from json.load(file)


def account(folder, name):
    rows = {}
    files = {"heart_rates": "heart_rate", "steps": "steps", "distances": "distance", "calories": "calories"}
    for stream, kind in files.items():
        rows[stream] = {record["dateTime"] for record in records(folder, kind)}
    moment = lambda text: datetime.strptime(text, "%m/%d/%y %H:%M:%S")
    # Files of days run on into days that have not happened: the minutes tell when it was exported.
    today = max(moment(text) for text in rows["calories"]).date()
    days = defaultdict(set)
    for level in ("sedentary", "lightly_active", "moderately_active", "very_active"):
        for record in records(folder, f"{level}_minutes"):
            if moment(record["dateTime"]).date() <= today:
                days["activity_minutes"].add((record["dateTime"], level))
    for record in records(folder, "time_in_heart_rate_zones"):
        for zone in record["value"]["valuesInZones"]:
            days["heart_rate_zones"].add((record["dateTime"], zone))
    for record in records(folder, "resting_heart_rate"):
        if record["value"]["date"] is not None:
            days["resting_heart_rates"].add(record["dateTime"])
    rows.update(days)
    rows["sleeps"] = {record["logId"] for record in records(folder, "sleep")}
    rows["exercises"] = {record["logId"] for record in records(folder, "exercise")}
    with open(glob.glob(f"{folder}/**/sleep_score.csv", recursive=True)[0]) as file:
        rows["sleep_scores"] = {row["sleep_log_entry_id"] for row in csv.DictReader(file)}
    for stream, keys in sorted(rows.items()):
        print(device(name), stream, len(keys))


def fitabase(folder):
    keys = defaultdict(set)
    for path in glob.glob(f"{folder}/heartrate_seconds/*.csv.gz"):
        with gzip.open(path, "rt") as file:
            for row in csv.DictReader(file):
                keys[row["Id"], "heart_rates"].add(row["Time"])
    with open(f"{folder}/minuteStepsWide_merged.csv") as file:
        for row in csv.DictReader(file):
            minutes = {(row["ActivityHour"], column) for column in row if column.startswith("Steps")}
            keys[row["Id"], "steps"] |= minutes
    with open(f"{folder}/dailyActivity_merged.csv") as file:
        for row in csv.DictReader(file):
            levels = {(row["ActivityDate"], column) for column in row if column.endswith("Minutes")}
            keys[row["Id"], "activity_minutes"] |= levels
    for (name, stream), found in sorted(keys.items()):
        print(device(name), stream, len(found))


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["account", folder, name]:
            account(os.path.abspath(folder), name)
        case ["fitabase", folder]:
            fitabase(os.path.abspath(folder))
        case _:
            sys.exit(__doc__)
