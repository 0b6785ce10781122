"""Server discovery, versions, capabilities; what is for whoever runs the server."""
import re
import time


def discovery(w):
    alice, nobody = w.user("alice"), w.anonymous
    well_known = nobody.get("/.well-known/matrix/client", has=("m.homeserver",))
    w.check(well_known["m.homeserver"].get("base_url", "").startswith("http"), f"base_url: {well_known}")
    for client in (nobody, alice):
        versions = client.get("/_matrix/client/versions", has=("versions", "unstable_features"))
        w.check({"v1.1", "v1.11", "v1.19"} <= set(versions["versions"]), f"versions: {versions}")
    capabilities = alice.get("/capabilities", has=("capabilities",))["capabilities"]
    rooms = capabilities.get("m.room_versions", {})
    w.check(rooms.get("default") == "12" and set(rooms.get("available", {}).values()) == {"stable"},
            f"m.room_versions: {rooms}")
    w.check({"11", "12"} <= set(rooms["available"]), f"available versions: {rooms}")
    for version in (*map(str, range(1, 14)), "org.example"):
        want = 200 if version in rooms["available"] else (400, "M_UNSUPPORTED_ROOM_VERSION")
        alice.post("/createRoom", body={"room_version": version}, want=want)
    for name, enabled in (("m.change_password", True), ("m.set_displayname", True), ("m.set_avatar_url", True),
                          ("m.profile_fields", True), ("m.3pid_changes", False), ("m.get_login_token", False)):
        w.check(capabilities.get(name, {}).get("enabled") is enabled, f"capability {name}: {capabilities.get(name)}")
    nobody.get("/capabilities", want=(401, "M_MISSING_TOKEN"))
    # /r0 is served as /v3, and a token in the query counts as one in the header.
    alice.get("/_matrix/client/r0/account/whoami", has=("user_id",))
    nobody.get("/account/whoami", query={"access_token": alice.token}, has=("user_id",))


def operations(w):
    nobody = w.anonymous
    for path in ("live", "ready"):
        nobody.get(f"/_myelin/health/{path}", has=("status",))
    nobody.get("/_myelin/health", has=("status",))
    administrator = w.administrator()
    w.check(administrator.get("/_myelin/admin/parked", has=("parked",))["parked"] == [], "no message is parked")
    status = administrator.get("/_myelin/admin/status", has=("position", "processes", "consumers", "queues"))
    w.check(any(each["alive"] for each in status["processes"]), "the process that answers is alive by its own account")
    w.user("alice").get("/_myelin/admin/status", want=(403, "M_FORBIDDEN"))
    administrator.post("/_myelin/admin/parked/retry", body={"consumer": "sync", "key": "none"})
    w.user("alice").get("/_myelin/admin/parked", want=(403, "M_FORBIDDEN"))
    deadline = time.monotonic() + 30
    text = nobody.raw("GET", "/_myelin/metrics")
    while b"myelin_engine_memory_bytes 0\n" in text.data and time.monotonic() < deadline:  # it is sampled
        time.sleep(0.2)
        text = nobody.raw("GET", "/_myelin/metrics")
    w.check(text.status == 200 and text.headers["Content-Type"].startswith("text/plain"), f"metrics: {text}")
    values = dict(re.findall(r"^(\w+(?:{[^}]*})?) ([-+.\w]+)$", text.data.decode(), re.M))
    names = {name.split("{")[0] for name in values}
    for name in ("myelin_http_request_seconds_count", "myelin_http_request_seconds_bucket",
                 "myelin_http_responses_total", "myelin_db_commits_total", "myelin_db_commit_seconds_count",
                 "myelin_db_commit_batch_bucket", "myelin_bus_outbox_rows", "myelin_bus_lag",
                 "myelin_engine_memory_bytes", "process_resident_memory_bytes"):
        w.check(name in names, f"metric {name} is missing")
    for consumer, topic in (("sync", "room.out"), ("sync", "user.out"), ("keys", "user.out"), ("push", "user.out"),
                            ("push", "notify.out")):
        w.check(f'myelin_bus_lag{{consumer="{consumer}",topic="{topic}"}}' in values, f"no lag of {consumer}, {topic}")
    w.check(float(values["process_resident_memory_bytes"]) > 1e6, "RSS is not measured")
    w.check(float(values["myelin_engine_memory_bytes"]) > 1e5, "the engine's memory is not measured")
