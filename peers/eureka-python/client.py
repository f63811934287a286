"""py_eureka_client doing what it is told line by line; see
internal/eureka/registry/client_peers_test.go."""

import asyncio
import logging
import os
import sys

import py_eureka_client.eureka_client as eureka_client

logging.disable(logging.CRITICAL)


def say(text):
    print("answer:", text, flush=True)


def find(client, name):
    applications = client.applications
    application = applications.get_application(name.upper()) if applications else None
    return len(application.up_instances) if application else 0


async def awake():
    """The client's heartbeat, in a thread and a loop of its own, shares a lock
    with this loop and does not wake it on release: a loop that sleeps would
    sleep on."""
    while True:
        await asyncio.sleep(0.1)


async def main():
    client = eureka_client.EurekaClient(
        eureka_server=os.environ["EUREKA_URL"],
        app_name="peer",
        instance_id="python:peer:8080",
        instance_host="127.0.0.1",
        instance_ip="127.0.0.1",
        instance_port=8080,
        renewal_interval_in_secs=1,
        duration_in_secs=90,
    )
    await client.start()
    loop = asyncio.get_running_loop()
    waking = loop.create_task(awake())
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        command, _, rest = line.strip().partition(" ")
        if command == "find":
            say(find(client, rest))
        elif command == "status":
            await client.status_update(rest)
            say("ok")
        elif command == "stop":
            await client.stop()
            waking.cancel()
            say("ok")
            os._exit(0)  # its heartbeat outlives stop
        else:
            say("cannot")


asyncio.run(main())
