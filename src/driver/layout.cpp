#include "driver/layout.hpp"

namespace partita {

Tiling sampling_tiling(ChainOptions const& o, Model const& m, Sampler const& s) {
  return {o.chains, o.width(o.chains, m.dimension(), 1 + divide_up(s.work_rows(m.dimension()), m.dimension()))};
}

std::vector<SampleStatistic> sampling_statistics(bool has_energy) {
  std::vector<SampleStatistic> all{{"acceptance_rate", StoredAs::real32, "share of this chain's proposals accepted since its last draw"},
                                   {"diverging", StoredAs::flag, "a proposal since the last draw had a non-finite or huge energy error"}};
  if (has_energy) all.insert(all.begin(), {"energy", StoredAs::real64, "E(x)"});
  return all;
}
std::vector<SampleStatistic> training_statistics() { return {{"energy", StoredAs::real64, "E(x) with the parameters of the time"}}; }

SampleFormat chains_format(OutputOptions const& o, Share const& share, Index dimension, std::vector<SampleStatistic> statistics) {
  std::vector<SampleVariable> const variables{{"x", dimension}};
  Index const per_part = o.draws_per_part > 0 ? o.draws_per_part : default_draws_per_part(share.tiling, variables, statistics);
  return {share.tiling, share.mine(), variables, std::move(statistics), std::max<Index>(1, per_part)};
}

SamplingScalars::SamplingScalars(Arrays arrays, Share const& share) {
  for (TileScalarStorage* of : {&energy, &acceptance, &diverging})
    *of = arrays.make<TileScalarStorage>("energy, acceptance and flags of a draw", share.mine().count, share.tiling.pitch());
}

TrainingParameters::TrainingParameters(Arrays arrays, Index count)
    : average(arrays.make<Vector>("averaged parameters", count)),
      estimate(arrays.make<Vector>("parameters of samples and estimates", count)) {}

}  // namespace partita
