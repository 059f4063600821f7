#!/usr/bin/env bash
# A run goes from the host to the emulated device and back: restarts keep the tile width of their checkpoint, lose no draw, and end well. What
# was drawn before a change stays; what comes after it need not have the host's bits.
host=${HOST_PARTITA:?}
precision() { "$1" --version | grep '^real'; }
if [[ ! -x $host || $(precision "$host") != "$(precision "$PARTITA")" ]]; then
  echo "skipped: $host is no program of this precision"
  exit 77
fi
source "$(dirname "$0")/common.sh"
device=$PARTITA

# goes_back_and_forth NAME KEY STEPS DECK...: a third of the steps (updates) on each.
goes_back_and_forth() {
  local name=$1 key=$2 steps=$3 third program change=()
  shift 3
  third=$((steps / 3))
  for program in "$host" "$device" "$host"; do
    PARTITA=$program on 2 run "$@" --set run.output="$name" --set "$key=$third" "${change[@]}" || { cat output >&2; die "$name on $program"; }
    grep -q "results are in" output || die "$name does not end"
    [[ $(status_of "$name") == 0 ]] || die "$name: exit code in run.status.json"
    change=(--restart required --allow-different-machine)
    third=$((third + steps / 3))
  done
}

goes_back_and_forth well sampler.steps 600 "${small_well[@]}" --set sampler.warmup=100
PARTITA=$host on 2 run "${small_well[@]}" --set sampler.warmup=100 --set sampler.steps=200 --set run.output=well_start || die "well_start"
draws=$(h5ls -r well/samples.h5 | grep -c .)
((draws > 0)) || die "no samples"
part=samples/part-000000.h5
first=$(numbers well_start/$part /posterior/x | head -n 5)
[[ $(numbers well/$part /posterior/x | head -n 5) == "$first" ]] || die "the first draws have changed"
awk -v m="$(metric well mean)" 'BEGIN {exit !(m > -2.5 && m < 0.5)}' || die "mean = $(metric well mean)"

goes_back_and_forth bars train.updates 60 "${small_bars[@]}"
goes_back_and_forth moons train.updates 60 "${small_moons[@]}"
goes_back_and_forth hee train.updates 60 "${small_hee[@]}"
goes_back_and_forth flow train.updates 60 "${small_flow[@]}"
echo "5 runs went from the host to the device and back"
