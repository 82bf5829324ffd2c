#!/bin/sh
# mmdebstrap setup hook: reach the archive as the build machine does (proxy, certificates). clean.sh takes it out again.
set -eu
root=$1
grep -ls 'Acquire' /etc/apt/apt.conf.d/* | while read -r file; do
  grep -q 'Post-Invoke\|Pre-Install' "$file" || cp "$file" "$root/etc/apt/apt.conf.d/zz-build-$(basename "$file")"
done
if [ -f /etc/ssl/certs/ca-certificates.crt ]; then
  mkdir -p "$root/etc/ssl/certs"
  cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/ca-certificates.crt"
fi
