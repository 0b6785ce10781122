# find_go: puts a Go of at least 1.25 on PATH and in GO, or fails.
go_is_new() {
  local version
  version=$("$1" env GOVERSION 2>/dev/null) || return 1
  version=${version#go}
  [ "$(printf '%s\n1.25\n' "${version%%[a-z-]*}" | sort -V | head -1)" = 1.25 ]
}
find_go() {
  local candidate
  for candidate in "$(command -v go || true)" /usr/local/go/bin/go "$PWD/build/tools/go/bin/go"; do
    [ -x "$candidate" ] && go_is_new "$candidate" || continue
    GO=$candidate
    PATH=$(dirname "$candidate"):$PATH
    export GO PATH
    return 0
  done
  return 1
}
