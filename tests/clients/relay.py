"""relay.py HOST:PORT FILE: forwards connections to HOST:PORT until it is ended. Writes the port that it listens on to FILE."""
import asyncio
import os
import sys


async def copy(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


async def main(address, file):
    host, port = address.rsplit(":", 1)

    async def relay(reader, writer):
        there, back = await asyncio.open_connection(host, int(port))
        await asyncio.gather(copy(reader, back), copy(there, writer), return_exceptions=True)

    server = await asyncio.start_server(relay, "127.0.0.1", 0)
    with open(file + ".new", "w") as new:
        new.write(str(server.sockets[0].getsockname()[1]))
    os.rename(file + ".new", file)
    await server.serve_forever()


asyncio.run(main(*sys.argv[1:]))
