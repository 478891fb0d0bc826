#!/bin/sh
# --show prints the page; otherwise it is served on the port given, 8080 by default.
case "$1" in
  --show) echo "$GREETING from version $(cat version), as $(id -un)"; cat index.html ;;
  *) exec httpd -f -v -p "${1:-8080}" -h /www ;;
esac
