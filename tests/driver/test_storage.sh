#!/usr/bin/env bash
# A failed write, on any rank, in any call, ends all ranks with exit code 4 within seconds; the last good checkpoint stays.
# FAILING_CALLS: the library that makes calls fail.
source "$(dirname "$0")/common.sh"
limit=60  # seconds; a run without failures takes two, and many more on busy cores
args=("${small_well[@]}" --set sampler.steps=2000 --set 'checkpoint.every="100 steps"' --set output.draws_per_part=20)

# failing RANKS NAME VARIABLES...: a run with these variables set ends with 4, and says so in its directory, where it can.
failing() {
  local ranks=$1 name=$2 code=0
  shift 2
  timeout $limit env "$@" LD_PRELOAD="$FAILING_CALLS" bash -c '
    if (($1 == 1)); then exec "$PARTITA" "${@:2}"; else exec "$MPIEXEC" -n "$1" --oversubscribe "$PARTITA" "${@:2}"; fi' \
    - "$ranks" run "${args[@]}" --set run.output="$name" >output 2>&1 || code=$?
  ((code == 4)) || { cat output; die "exit code $code instead of 4 on $ranks ranks with $*"; }
  ! grep -q 'Segmentation\|a bug in Partita' output || { cat output; die "a crash on the way out with $*"; }
  [[ ! -f $name/run.status.json || $(status_of "$name") == 4 ]] || { cat "$name/run.status.json"; die "the status of $name does not say 4"; }
}

n=0
for ranks in 1 3; do
  for call in pwrite write fsync rename; do
    for path in checkpoints/step samples/part; do
      failing $ranks run$((++n)) FAIL_CALL=$call FAIL_PATH=$path FAIL_FROM=3
      failing $ranks run$((++n)) FAIL_CALL=$call FAIL_PATH=$path FAIL_FROM=2 FAIL_ALWAYS=1 NO_FALLOCATE=1 FAIL_ERRNO=28
    done
  done
  for path in deck.toml history.h5 run.log summary.json; do
    failing $ranks run$((++n)) FAIL_CALL=write FAIL_PATH=$path FAIL_ALWAYS=1
  done
  failing $ranks run$((++n)) FAIL_CALL=fallocate FAIL_PATH=checkpoints/step FAIL_FROM=2 FAIL_ERRNO=28
done
# On one rank of three; with fcoll=individual each rank writes its own part of a file, and the others wait inside HDF5.
for rank in 0 1 2; do
  failing 3 flushing$rank FAIL_CALL=fsync FAIL_PATH=checkpoints/step FAIL_RANK=$rank FAIL_FROM=2
  failing 3 writing$rank OMPI_MCA_fcoll=individual FAIL_CALL=pwrite FAIL_PATH=checkpoints/step FAIL_RANK=$rank FAIL_FROM=4
done

# What a failed run left goes on to the bits of one that did not fail.
on 1 run "${args[@]}" --set run.output=whole || { cat output; die "the whole run"; }
on 3 run "${args[@]}" --set run.output=writing1 --restart auto || { cat output; die "the failed run does not go on"; }
for part in whole/samples/part-*.h5; do same "$part" "writing1/samples/$(basename "$part")" /posterior/x; done

# A disk that fills up, with and without reservations.
mkdir small
if mount -t tmpfs -o size=1000k tmpfs small 2>/dev/null; then
  trap 'umount -l "$work/small" 2>/dev/null; rm -rf "$work"' EXIT
  for ranks in 1 3; do
    failing $ranks small/reserved
    rm -rf small/*
    failing $ranks small/unreserved NO_FALLOCATE=1
    rm -rf small/*
  done
else
  echo "skipped: a disk that fills up (no permission to mount a tmpfs)"
fi
echo "failed writes end all ranks with exit code 4"
