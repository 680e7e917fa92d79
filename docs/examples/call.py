"""Publishes one call event, as a telephone system would. Needs pika.

python3 call.py amqp://127.0.0.1 acme ringing '{"call": "c-1", "from": "+43 1 5550123", "agents": ["anna"]}'
python3 call.py amqp://127.0.0.1 acme answered '{"call": "c-1", "agent": "anna"}'
python3 call.py amqp://127.0.0.1 acme ended '{"call": "c-1"}'
"""
import json, sys, uuid, pika

url, tenant, what, data = sys.argv[1:5]
event = {"specversion": "1.0", "id": str(uuid.uuid4()), "source": "/pbx/example", "tenant": tenant,
         "type": f"com.tieline.call.{what}.v1", "datacontenttype": "application/json", "data": json.loads(data)}
with pika.BlockingConnection(pika.URLParameters(url)) as connection:
    channel = connection.channel()
    channel.confirm_delivery()  # Returns only when the broker has it; raises when nobody would get it.
    channel.basic_publish("tieline.intake", f"{tenant}.call.{what}", json.dumps(event),
                          pika.BasicProperties(content_type="application/cloudevents+json", delivery_mode=2), mandatory=True)
