#!/usr/bin/env python3
"""Publishes a call event as a telephone system would (needs `pip install pika`):
publish_call.py [AMQP-URL [TENANT [NUMBER [AGENT [ringing|dialled|answered|ended|recording_ready [CALL [RECORDING]]]]]]]"""
import json, sys, uuid, pika

defaults = ["amqp://guest:guest@127.0.0.1:5672/%2f", "acme", "+442079460000", "anna", "ringing", f"call-{uuid.uuid4()}", "https://recordings.example/1"]
url, tenant, number, agent, what, call, recording = sys.argv[1:] + defaults[len(sys.argv) - 1:]
data = {"ringing": {"call": call, "from": number, "agents": [agent], "direction": "inbound"}, "dialled": {"call": call, "agent": agent, "to": number},
        "answered": {"call": call, "agent": agent}, "ended": {"call": call}, "recording_ready": {"call": call, "url": recording}}[what]
event = {"specversion": "1.0", "id": str(uuid.uuid4()), "source": "/docs/publish_call.py", "tenant": tenant, "type": f"com.tieline.call.{what}.v1", "data": data}
with pika.BlockingConnection(pika.URLParameters(url)) as connection:
    channel = connection.channel()
    channel.confirm_delivery()  # basic_publish returns once a quorum of the broker has the message, or raises
    channel.basic_publish("tieline.intake", f"{tenant.replace('.', ':')}.call.{what}.v1", json.dumps(event), mandatory=True,
                          properties=pika.BasicProperties(content_type="application/cloudevents+json", delivery_mode=2))
print(f"{call} {what} at {agent}")
