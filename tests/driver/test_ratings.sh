#!/usr/bin/env bash
# Collaborative filtering from a file to predictions: the same bits on 1, 2 and 3 ranks, and whatever the held-out ratings are; better than
# the items' means where users differ; decks that do not fit are refused.
source "$(dirname "$0")/common.sh"

# 200 users of five degrees of generosity rate half of 40 items with 1 to 5.
awk 'BEGIN { srand(1); print "user,item,rating"
  for (u = 0; u < 200; u++) for (i = 0; i < 40; i++) if (rand() < 0.5) {
    r = int(3.5 + (u % 5 - 2) * 0.8 + (i % 3 - 1) * 0.7 + 1.2 * (rand() + rand() - 1)); print 7 * u - 100 "," 3 * i "," (r < 1 ? 1 : r > 5 ? 5 : r) } }' >ratings.csv
small_ratings=("$INPUTS/ratings_movielens.toml" --set data.path=ratings.csv --set model.items=40 --set model.levels=5 --set model.hidden=20
  --set train.batch=50 --set train.updates=400 --set run.reproducible=true)
column() { h5dump -y -w 1 -m %.17g -d "$2" "$1/estimates/ratings.h5" | grep -E '^ +-?[0-9]' | tr -d ' ,'; }

for ranks in 1 2 3; do
  on "$ranks" run "${small_ratings[@]}" --set run.output=plain$ranks || { cat output; die "ratings on $ranks ranks"; }
  same "$(newest_checkpoint plain1)" "$(newest_checkpoint plain$ranks)" /model/parameters /optimizer/velocity
  same plain1/estimates/ratings.h5 plain$ranks/estimates/ratings.h5 /user /item /rating /prediction
  [[ $(metrics plain1) == "$(metrics plain$ranks)" ]] || die "metrics differ on $ranks ranks"
done
(($(column plain1 user | wc -l) == $(metric plain1 held_out_ratings))) || die "not all held-out ratings are in the output"
awk -v rbm="$(metric plain1 rmse_rbm)" -v mean="$(metric plain1 rmse_item_mean)" 'BEGIN { exit !(rbm > 0 && rbm < 0.75 * mean) }' ||
  die "error $(metric plain1 rmse_rbm) of the machine, $(metric plain1 rmse_item_mean) of the items' means"

# Other held-out ratings: 6 less the rating, a level that training has, so that all else is as it was.
paste -d, <(column plain1 user) <(column plain1 item) >held_out
awk -F, -v OFS=, 'NR == FNR { held_out[$1 "," $2] = 1; next } ($1 "," $2) in held_out { $3 = 6 - $3 } { print }' held_out ratings.csv >changed.csv
cmp -s ratings.csv changed.csv && die "no held-out rating was changed"
on 1 run "${small_ratings[@]}" --set data.path=changed.csv --set run.output=changed || { cat output; die "changed ratings"; }
same "$(newest_checkpoint plain1)" "$(newest_checkpoint changed)" /model/parameters /optimizer/velocity /replay/0000/x
same plain1/estimates/ratings.h5 changed/estimates/ratings.h5 /user /item /prediction /baselines/item_mean /baselines/user_item
[[ $(metric plain1 rmse_rbm) != "$(metric changed rmse_rbm)" ]] || die "the changed ratings were not compared with"

expect 2 'the data have 5 levels of ratings' run "${small_ratings[@]}" --set run.output=bad --overwrite --set model.levels=4
expect 2 'the data have 40 numbers per item' run "${small_ratings[@]}" --set run.output=bad --overwrite --set model.items=41
expect 2 'objective.type = "persistent_cd" cannot train model.type = "softmax_rbm"' run "${small_ratings[@]}" --set run.output=bad --overwrite --set objective.type=persistent_cd
expect 2 'objective.centred' run "${small_ratings[@]}" --set run.output=bad --overwrite --set objective.centred=true
expect 2 'data.held_out_fraction' run "${small_ratings[@]}" --set run.output=bad --overwrite --set data.held_out_fraction=0 --set train.updates=1
echo "1,2,x" >bad.csv
expect 3 'bad.csv:1:5: "x" is not a number, a rating' run "${small_ratings[@]}" --set run.output=bad --overwrite --set data.path=bad.csv
echo "predictions of held-out ratings that nothing else has seen"
