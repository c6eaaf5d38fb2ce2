#!/bin/sh
# Lay the configuration of $SIDE (pbx or phones) out and run Asterisk in the foreground.
# The same @WORDS@ are filled in by tests/rig/build.py for the rig without Docker.
set -eu
home=/rig/$SIDE
mkdir -p "$home/lib" "$home/db" "$home/keys" "$home/spool" "$home/log/cdr-csv" "$home/log/cel-custom" "$home/run"
rm -rf "$home/etc"
cp -r "/rig/templates/$SIDE" "$home/etc"
if [ "$SIDE" = pbx ]; then
    mkdir -p "$home/etc/manager.d" "$home/etc/pbxmonitor"
    cp /rig/operator/*.conf "$home/etc/pbxmonitor/"
    cp /rig/operator/manager.d/pbxmonitor.conf "$home/etc/manager.d/"
    cp "/rig/operator/manager.d/filters-$FILTERS.conf" "$home/etc/manager.d/pbxmonitor.filters"
    [ "$FILTERS" != 16 ] || sed -E -i -f /rig/macros.sed "$home/etc/extensions_freepbx.conf"
fi
pbx=$(getent hosts "${PBX:-pbx}" | cut -d' ' -f1)
phones=$(getent hosts "${PHONES:-phones}" | cut -d' ' -f1)
sed -i \
    -e "s|@HOME@|$home|g" -e "s|@BIND@|0.0.0.0|g" -e "s|@PERMIT@|${PERMIT:-172.16.0.0/255.240.0.0}|g" \
    -e "s|@PBX@|${pbx:-127.0.0.1}|g" -e "s|@PHONES@|${phones:-127.0.0.1}|g" \
    -e "s|@PBX_AMI@|5038|g" -e "s|@PHONES_AMI@|5039|g" -e "s|@PBX_ARI@|8088|g" -e "s|@PHONES_ARI@|8089|g" \
    -e "s|@PBX_SIP@|5060|g" -e "s|@PHONES_SIP@|5070|g" -e "s|@RTP_FIRST@|20000|g" -e "s|@RTP_LAST@|20999|g" \
    -e "s|@SIPP_\([1-7]\)@|509\1|g" \
    -e "s|@SECRET@|$SECRET|g" -e "s|@ARI_SECRET@|$ARI_SECRET|g" -e "s|@RIG_SECRET@|$RIG_SECRET|g" \
    "$home"/etc/*.conf
exec asterisk -f -C "$home/etc/asterisk.conf"
