"""What programs do with docker-py, against the engine at DOCKER_HOST: one function per test, by name on the command line.

docker-py speaks Docker's API as it was written down; an answer that it cannot read raises. Every function cleans up what it made.
"""

import io
import sys
import tarfile
import threading
import time

import docker

IMAGE = "busybox"


def containers_run(client):
    assert client.containers.run(IMAGE, ["echo", "hello"], remove=True) == b"hello\n"
    try:
        client.containers.run(IMAGE, ["sh", "-c", "echo bad >&2; exit 3"], remove=True)
    except docker.errors.ContainerError as error:
        assert error.exit_status == 3, error
        assert b"bad" in error.stderr, error.stderr
    else:
        raise AssertionError("exit 3 was not told")
    try:
        client.containers.run("nosuch-image-of-this-test", remove=True)
    except docker.errors.ImageNotFound:
        pass
    except docker.errors.APIError as error:
        assert error.status_code in (403, 404, 500), error
    else:
        raise AssertionError("a missing image ran")


def containers_life(client):
    container = client.containers.run(IMAGE, ["sleep", "100"], detach=True, labels={"py": "1"}, environment={"A": "b"}, mem_limit="64m")
    try:
        assert container.status in ("created", "running")
        container.reload()
        assert container.status == "running"
        assert container.attrs["HostConfig"]["Memory"] == 64 << 20
        assert "A=b" in container.attrs["Config"]["Env"]
        assert [found.id for found in client.containers.list(filters={"label": "py=1"})] == [container.id]
        container.pause()
        container.reload()
        assert container.status == "paused"
        container.unpause()
        container.rename("py-" + container.short_id)
        assert container.top()["Processes"]
        container.update(mem_limit="128m", memswap_limit="128m")
        container.reload()
        assert container.attrs["HostConfig"]["Memory"] == 128 << 20
        stats = container.stats(stream=False)
        assert stats["memory_stats"] and stats["cpu_stats"]["cpu_usage"]["total_usage"] > 0
        container.restart(timeout=0)
        container.kill()
        assert container.wait(timeout=30)["StatusCode"] == 137
        container.start()
        container.stop(timeout=0)
        container.reload()
        assert container.status == "exited"
    finally:
        container.remove(force=True)
    try:
        client.containers.get(container.id)
    except docker.errors.NotFound:
        pass
    else:
        raise AssertionError("it is still there")


def containers_logs(client):
    script = "for i in 1 2 3; do echo out $i; echo err $i >&2; sleep 0.1; done"
    container = client.containers.run(IMAGE, ["sh", "-c", script], detach=True)
    try:
        lines = b"".join(container.logs(stream=True, follow=True, stdout=True, stderr=False))
        assert lines == b"out 1\nout 2\nout 3\n", lines
        container.wait(timeout=30)
        assert container.logs(stdout=False, stderr=True, tail=1) == b"err 3\n"
        assert container.logs(timestamps=True).count(b"Z ") == 6
        assert container.logs(since=int(time.time()) + 100) == b""
    finally:
        container.remove(force=True)


def containers_exec(client):
    container = client.containers.run(IMAGE, ["sleep", "100"], detach=True)
    try:
        code, output = container.exec_run(["sh", "-c", "echo out; echo err >&2; exit 4"], demux=True)
        assert (code, output) == (4, (b"out\n", b"err\n")), (code, output)
        assert container.exec_run("id -u", user="nobody").output == b"65534\n"
        assert container.exec_run("pwd", workdir="/tmp").output == b"/tmp\n"
        assert container.exec_run(["sh", "-c", "echo $X"], environment={"X": "y"}).output == b"y\n"
        assert b"".join(container.exec_run("echo streamed", stream=True).output) == b"streamed\n"
        assert container.exec_run("tty", tty=True).exit_code == 0
        _, sock = container.exec_run("cat", stdin=True, socket=True)
        raw = getattr(sock, "_sock", sock)
        raw.sendall(b"through\n")
        raw.settimeout(30)
        received = b""
        while b"through\n" not in received:
            piece = raw.recv(4096)
            assert piece, received
            received += piece
        raw.close()
    finally:
        container.remove(force=True)


def containers_attach(client):
    container = client.containers.create(IMAGE, ["cat"], stdin_open=True, tty=False)
    try:
        sock = container.attach_socket(params={"stdin": 1, "stdout": 1, "stream": 1})
        raw = getattr(sock, "_sock", sock)
        raw.settimeout(30)
        container.start()
        raw.sendall(b"ping\n")
        received = b""
        while not received.endswith(b"ping\n"):
            piece = raw.recv(4096)
            assert piece, received
            received += piece
        assert received[:8] == b"\x01\x00\x00\x00\x00\x00\x00\x05", received
        raw.close()
    finally:
        container.remove(force=True)


def containers_export(client):
    container = client.containers.run(IMAGE, ["touch", "/tmp/made"], detach=True)
    try:
        container.wait(timeout=30)
        exported = b"".join(container.export())
        with tarfile.open(fileobj=io.BytesIO(exported)) as archive:
            assert "tmp/made" in [name.lstrip("./") for name in archive.getnames()]
    finally:
        container.remove(force=True)


def containers_prune(client):
    container = client.containers.create(IMAGE, ["true"], labels={"py-prune": "1"})
    removed = client.containers.prune(filters={"label": "py-prune"})
    assert removed["ContainersDeleted"] == [container.id], removed


def images_all(client):
    image = client.images.pull(IMAGE, tag="latest")
    assert image.tags and image.id.startswith("sha256:")
    assert image.attrs["Os"] == "linux"
    assert image.history()
    assert image.tag("py-mine", tag="1")
    assert client.images.get("py-mine:1").id == image.id
    saved = b"".join(client.images.get("py-mine:1").save(named="py-mine:1"))
    client.images.remove("py-mine:1")
    loaded = client.images.load(saved)
    assert loaded[0].id == image.id, loaded
    assert client.images.list(name="py-mine")
    client.images.remove("py-mine:1")
    try:
        client.images.get("py-mine:1")
    except docker.errors.ImageNotFound:
        pass
    else:
        raise AssertionError("it is still there")
    container = client.containers.run(IMAGE, ["touch", "/made"], detach=True)
    try:
        container.wait(timeout=30)
        made = container.commit(repository="py-committed", tag="1", message="by a test")
        assert client.containers.run("py-committed:1", ["ls", "/made"], remove=True) == b"/made\n"
        client.images.remove(made.id, force=True)
    finally:
        container.remove(force=True)


def networks_all(client):
    network = client.networks.create("py-net", driver="bridge", labels={"py": "1"})
    server = None
    try:
        assert [found.name for found in client.networks.list(names=["py-net"])] == ["py-net"]
        server = client.containers.run(
            IMAGE, ["sh", "-c", "echo served > /tmp/index.html; httpd -f -p 80 -h /tmp"], detach=True, name="py-server", network="py-net"
        )
        # busybox-static's wget cannot resolve names without the libraries of its C library: nslookup and nc can.
        address = "$(nslookup py-server | awk '/^Address/ {a = $2} END {print a}')"
        fetch = f"printf 'GET /index.html HTTP/1.0\\r\\n\\r\\n' | nc -w 10 {address} 80 | tail -n 1 | grep served"
        script = f"for i in 1 2 3 4 5 6 7 8 9; do {fetch} && exit; sleep 1; done; exit 1"
        answer = client.containers.run(IMAGE, ["sh", "-c", script], remove=True, network="py-net")
        assert answer == b"served\n", answer
        network.reload()
        assert [container.name for container in network.containers] == ["py-server"]
        network.disconnect(server)
        network.connect(server, aliases=["other"])
    finally:
        if server is not None:
            server.remove(force=True)
        network.remove()


def volumes_all(client):
    volume = client.volumes.create("py-volume", labels={"py": "1"})
    try:
        mounts = {"py-volume": {"bind": "/data", "mode": "rw"}}
        client.containers.run(IMAGE, ["sh", "-c", "echo kept > /data/file"], volumes=mounts, remove=True)
        assert client.containers.run(IMAGE, ["cat", "/data/file"], volumes=mounts, remove=True) == b"kept\n"
        assert [found.name for found in client.volumes.list(filters={"label": "py=1"})] == ["py-volume"]
    finally:
        volume.remove()


def ports_all(client):
    container = client.containers.run(IMAGE, ["sleep", "100"], detach=True, ports={"80/tcp": None})
    try:
        container.reload()
        bindings = container.ports["80/tcp"]
        assert bindings and int(bindings[0]["HostPort"]) > 0, bindings
    finally:
        container.remove(force=True)


def events_all(client):
    seen = []
    stream = client.events(decode=True, filters={"type": "container"})

    def collect():
        for event in stream:
            seen.append(event["Action"])
            if event["Action"] == "destroy":
                return

    thread = threading.Thread(target=collect, daemon=True)
    thread.start()
    client.containers.run(IMAGE, ["true"], remove=True, name="py-events")
    thread.join(60)
    assert [action for action in seen if action in ("create", "start", "die", "destroy")] == ["create", "start", "die", "destroy"], seen


def system_all(client):
    assert client.ping()
    assert client.version()["ApiVersion"]
    assert client.info()["OSType"] == "linux"
    assert "Images" in client.df()


if __name__ == "__main__":
    globals()[sys.argv[1]](docker.from_env(timeout=60))
    print("passed")
