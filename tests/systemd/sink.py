"""A server that takes every message: for tests/systemd/boot."""
import socket

with socket.create_server(("127.0.0.1", 2525)) as server:
    while True:
        client, _ = server.accept()
        stream = client.makefile("rwb", buffering=0)
        stream.write(b"220 sink\r\n")
        in_message = False
        for line in stream:
            verb = line[:4].upper()
            if in_message:
                in_message = line != b".\r\n"
                if in_message:
                    continue
            elif verb == b"DATA":
                in_message = True
            stream.write(b"354 go on\r\n" if in_message else b"250 taken\r\n")
            if verb == b"QUIT":
                break
        client.close()
