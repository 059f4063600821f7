#!/usr/bin/env bash
# The same bits on 1, 2 and 3 ranks: samples of two decks, and the parameters after 200 training updates.
source "$(dirname "$0")/common.sh"
for ranks in 1 2 3; do
  on "$ranks" run "${small_gaussian[@]}" --set run.output=gaussian$ranks || { cat output; die "gaussian on $ranks ranks"; }
  on "$ranks" run "${small_well[@]}" --set run.output=well$ranks || { cat output; die "double well on $ranks ranks"; }
  on "$ranks" run "${small_moons[@]}" --set run.output=moons$ranks || { cat output; die "two moons on $ranks ranks"; }
done
for ranks in 2 3; do
  for run in gaussian well moons; do
    same_samples ${run}1 $run$ranks
    [[ $(metrics ${run}1) == "$(metrics $run$ranks)" ]] || die "metrics of $run differ on $ranks ranks"
  done
  same "$(newest_checkpoint moons1)" "$(newest_checkpoint moons$ranks)" /model/parameters /optimizer/mean /average/parameters
done
echo "same bits on 1, 2 and 3 ranks"
