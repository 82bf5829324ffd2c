# shellcheck shell=sh
# Look at this host's clock: ptp4l by pmc(8), the watchdog by chronyc(1), who may set the clock by the kernel's word.
# `mark` comes as in facts.sh; $1 is the socket of ptp4l, $2 that of the watchdog, $3 the PTP domain, $4 how many offsets
# to take, one each second. It changes nothing.
LC_ALL=C
PATH=/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH
mark=${mark:?the controller sends it} ptp=$1 watch=$2 domain=$3 count=$4
section() { printf '%s %s\n' "$mark" "$1"; }
ask() {
  timeout 5 pmc -u -b 0 -d "$domain" -i "${ptp%/*}/pmc.$$" -s "$ptp" "$@" 2>/dev/null
}
section pmc
ask 'GET PARENT_DATA_SET' 'GET PORT_DATA_SET' 'GET TIME_PROPERTIES_DATA_SET' 'GET DEFAULT_DATA_SET'
while [ "$count" -gt 0 ]; do
  ask 'GET CURRENT_DATA_SET' 'GET TIME_STATUS_NP'
  count=$((count - 1))
  [ "$count" -eq 0 ] || sleep 1
done
section watch
# What chronyc says when nobody answers comes on standard output, too.
sources=$(timeout 5 chronyc -n -c -h "$watch" sources 2>/dev/null) && printf '%s\n' "$sources"
section processes
find /proc/[0-9]*/exe -maxdepth 0 -printf '%h %l\n' 2>/dev/null | while read -r process program _; do
  case ${program##*/} in
    ptp4l | phc2sys | ts2phc | timemaster | chronyd | ntpd | ntpsec | openntpd | systemd-timesyncd)
      rights=$(sed -n 's/^CapEff:[[:space:]]*//p' "$process/status" 2>/dev/null)
      [ -z "$rights" ] || printf '%s %s %s\n' "${process#/proc/}" "$program" "$rights"
      ;;
  esac
done
section granularity
grep -m 1 resolution /proc/timer_list 2>/dev/null
section time
date +%s%N
section end
