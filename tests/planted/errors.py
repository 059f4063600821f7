"""Errors to plant in the sources, to see whether the tests see them.

Each is of a kind that people make,
          and changes a result that a user could see. `survivors` are errors that no test saw at some time; `further`
were chosen over all folders of src before anybody looked which tests there are for the lines. Errors that no test sees stay in the list.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Error:
    """An error of one line.

    In `file`, `right` becomes `wrong`; within `at`, a longer piece of the source, where `right` alone stands there more than once.
    Where `right` is a statement, so is `wrong`; empty: the statement is left out. Otherwise both are expressions that stay whole in
    brackets.
    `tests` are ctest's names of those expected to see it, the cheapest first; "name:FILTER" runs a part of a GoogleTest programme.
    """

    name: str
    file: str
    right: str
    wrong: str
    tests: tuple
    at: str = ""


def samplers(*suites):
    """Of the longest programme the suites of a topic."""
    return "samplers.ranks_1:" + ":".join(f"{s}*" for s in suites)


CONTRASTIVE = "src/objectives/contrastive_divergence.cpp"
OBJECTIVES = ("objectives.ranks_1",)
LEARNING = ("objectives.ranks_1", "objectives.hee_learning")
SAMPLERS = ("samplers.ranks_1",)
GENERATORS = ("generators.ranks_1",)
LADDERS = ("tempering.ranks_1", "tempering.ranks_2", "tempering.ranks_3")
MODELS = ("models.ranks_1",)
ENERGIES = ("energies.ranks_1",)
MACHINES = ("models.ranks_1", "estimators.ranks_1")
NETWORKS = ("networks.ranks_1", "models.ranks_1")
OPTIMIZERS = ("optimizers.ranks_1",)
ESTIMATORS = ("estimators.ranks_1",)
DATA = ("data.ranks_1",)
FILES = ("io.ranks_1", "io.ranks_2", "io.ranks_3")
RANKS = ("comm.ranks_1", "comm.ranks_2", "comm.ranks_3", "comm.ranks_5")
RESTART = ("driver.restart",)

survivors = (
    Error("gradient not divided by the batches advanced", CONTRASTIVE, "scale / double(advanced_)", "scale", OBJECTIVES),
    Error("sign of a machine's weight decay", CONTRASTIVE, "std::fma(decay, parameters(i), gradient(i))",
          "std::fma(-decay, parameters(i), gradient(i))", OBJECTIVES),
    Error("sign of the sparsity penalty", CONTRASTIVE, "std::fma(cost, unit_means(first_hidden + j) - target, gradient(range.first + j))",
          "std::fma(-cost, unit_means(first_hidden + j) - target, gradient(range.first + j))", OBJECTIVES),
    Error("gradient never centred", CONTRASTIVE, "machine_->centre(gradient, memory_.offsets);", "", OBJECTIVES),
    Error("offsets do not start at the first means", CONTRASTIVE, "offset_updates_++ == 0", "offset_updates_++ < 0", OBJECTIVES),
    Error("gradients of rated items not rescaled", CONTRASTIVE, "machine_->rescale(gradient, unit_means);", "", OBJECTIVES),
    Error("noise of the positive phase frozen", CONTRASTIVE, "update * options_.positive_steps", "Index{0}", OBJECTIVES),
    Error("flow not annealed", "src/objectives/reverse_kl.cpp", "Real(beta)", "Real(1)", OBJECTIVES,
          at="scale_lanes(x_of(memory_.gradient), Real(beta), weight)"),
    Error("flow trained on the same latents in every update", "src/objectives/reverse_kl.cpp", "update", "Index{0}", OBJECTIVES,
          at="random::Stream::flow_latents, update, {}"),
    Error("sign of weight decay in exact likelihood", "src/objectives/exact_likelihood.cpp", "std::fma(decay, parameters(i), of_data(i))",
          "std::fma(-decay, parameters(i), of_data(i))", OBJECTIVES),
    Error("means of a belief network's layer halved", "src/objectives/greedy_cd.cpp",
          "double(batches_of_means * tiling_.chains)",
          "double(batches_of_means * tiling_.chains * 2)", OBJECTIVES),
    Error("chains of the next machine not placed anew", "src/objectives/greedy_cd.cpp",
          "learners_[k]->place_chains();", "", OBJECTIVES),
    Error("sign of the bias in a belief network's means", "src/generators/dbn_generator.cpp", "math::sigmoid(row[l] + a(n % units))",
          "math::sigmoid(row[l] - a(n % units))", GENERATORS),
    Error("step size still adapts after the warm-up", "src/driver/sample_task.cpp", "step <= options_.warmup && step > 0", "step > 0",
          RESTART),
    Error("count of steps not restored", "src/driver/sample_task.cpp",
          'state.add_scalar("chains/steps_since_reset", since_reset_);', "", RESTART),
    Error("energies that are no number not counted as diverging", "src/samplers/scheme.hpp", "error < diverging_error",
          "!(error >= diverging_error)",
          SAMPLERS),
    Error("acceptances of padding lanes counted", "src/samplers/chains.cpp", "l < width && (first + tile) * width + l < all", "l < width",
          SAMPLERS),
    Error("share of chains that start anew inverted", "src/samplers/start_chains.cpp",
          "random::uniform(random::words(key, numbers.of(tile, lane), random::Stream::restart_choice, at, 0).w[0]) >= share",
          "random::uniform(random::words(key, numbers.of(tile, lane), random::Stream::restart_choice, at, 0).w[0]) < share", OBJECTIVES),
    Error("noise of the last minibatch left in a conditioned model", "src/objectives/denoising_score_matching.cpp",
          "if (!levels_.empty()) model_.set_noise(levels_.back());", "", OBJECTIVES),
    Error("weight of denoising score matching", "src/objectives/denoising_score_matching.cpp", "sigma(0, l) * sigma(0, l)", "sigma(0, l)",
          OBJECTIVES),
    Error("a new rung starts elsewhere", "src/samplers/trajectory_tempering.cpp", "copy_rung(0, copies_);", "", LADDERS),
    Error("only the first stripe of a checkpoint verified", "src/io/manifest.cpp", "wanted.stripes.size()",
          "std::min<std::size_t>(wanted.stripes.size(), 1)", FILES),
    Error("a row of the history lost on restart", "src/io/history.cpp", "std::upper_bound(steps_.begin(), steps_.end(), last_step)",
          "std::lower_bound(steps_.begin(), steps_.end(), last_step)", FILES),
    Error("values at the threshold become 1", "src/data/dataset.cpp", "out[d] > threshold_", "out[d] >= threshold_", DATA),
    Error("variances of the data by n - 1", "src/data/dataset.cpp", "double(train_)", "double(train_ - 1)", DATA,
          at="for (double& v : m.variance) v /= double(train_)"),
    Error("variances of the data from one mean only", "src/data/dataset.cpp", "before * (row[d] - m.mean[d])", "before * before", DATA),
    Error("one update too many with the initial momentum", "src/optimizers/sgd.cpp", "updates_++ < options_.initial_updates",
          "updates_++ <= options_.initial_updates", OPTIMIZERS),
    Error("error of a weighted probability: a square missing", "src/estimators/importance.cpp", "a * a * with.squares * q * q",
          "a * a * with.squares * q", ESTIMATORS),
    Error("error of a weighted probability: root of the denominator", "src/estimators/importance.cpp", "sum", "std::sqrt(sum)", ESTIMATORS,
          at="std::pow(b * unseen(without.tail) * p, 2)) / sum;"),
    Error("error of a direct probability divided by n", "src/estimators/sample_set.cpp", "std::sqrt(p * (1 - p) / (n + 4))",
          "std::sqrt(p * (1 - p)) / (n + 4)", ESTIMATORS),
    Error("first state of a flow's chain counted as accepted", "src/generators/flow_generator.cpp", "if (!first) accepted(tile, l) += 1;",
          "accepted(tile, l) += 1;", GENERATORS),
    Error("half of the weights in a flow's acceptance", "src/generators/flow_generator.cpp", "proposed(tile, l) - log_weight(tile, l)",
          "Real(0.5) * (proposed(tile, l) - log_weight(tile, l))", GENERATORS),
)

further = (
    # core
    Error("noise repeats after 2^32 steps", "src/core/random.hpp", "std::uint32_t(step >> 32) << 24 | draw", "draw",
          ("core.ranks_1",)),
    Error("sign of softplus' third derivative", "src/core/math.hpp", "s * c * (c - s)", "s * c * (s - c)", ("core.ranks_1",)),
    Error("sums over many coordinates in single precision", "src/core/lane_sums.hpp", "double(some_[l])",
          "double(Real(total_[l] + double(some_[l]))) - total_[l]", ("models.ranks_1",
          "samplers.ranks_1"), at="total_[l] += double(some_[l])"),
    Error("time of one phase charged to the next as well", "src/core/timers.cpp", "charged_until_ = now;", "", ("core.ranks_1",)),
    Error("log-determinant of half a factor", "src/core/dense.cpp", "2 * factor_of(a).matrixLLT().diagonal().array().log().sum()",
          "1. * factor_of(a).matrixLLT().diagonal().array().log().sum()", ("core.ranks_1", "models.ranks_1", "estimators.ranks_1")),
    # comm
    Error("sums over ranks leave the tree", "src/comm/tile_sums.cpp", "i > 0", "i > 1", RANKS,
          at="for (int i = additions_after(node, 0); i > 0; i--) add_top();"),
    Error("mean time of a phase is the ranks' sum", "src/comm/phase_table.cpp", "sum[i] / ranks.ranks()", "sum[i]", RANKS),
    Error("any rank means all", "src/comm/communicator.cpp", "Reduction::maximum", "Reduction::minimum", RANKS,
          at="bool Communicator::any(bool mine, Place at) const { return all_reduce(Index(mine), Reduction::maximum, at) != 0; }"),
    Error("watchdog waits sixty times as long", "src/comm/watchdog.cpp", "limit.count()", "limit.count() * 60",
          ("comm.failure.stops", "comm.ranks_1"), at="thread_->limit = limit.count();"),
    # data
    Error("offset of scaled data has the wrong sign", "src/data/dataset.cpp", "(unit ? 0 : -1) - scale_[0] * low",
          "(unit ? 0 : -1) + scale_[0] * low", DATA),
    Error("minibatches in the same order in every epoch", "src/data/batches.cpp", "std::uint64_t(epoch)", "std::uint64_t{0}",
          DATA),
    Error("pairs of held-out sets hold the same items", "src/data/dataset.cpp", "i + set % 2 * count", "i", DATA),
    Error("items binarised alike in every epoch", "src/data/dataset.cpp", "std::uint64_t(item.epoch)", "std::uint64_t{0}",
          DATA),
    Error("users without training ratings numbered from the start", "src/data/ratings.cpp", "rows + place_in(untrained, user(i))",
          "place_in(untrained, user(i))", DATA),
    Error("label of a colour image read as its first byte", "src/data/cifar10.cpp", "1 + c * height * width + pixel",
          "c * height * width + pixel", DATA),
    # io
    Error("steps of waiting draws not in the checkpoint", "src/io/samples.cpp",
          "state.add_field(std::move(steps));", "", FILES + RESTART),
    Error("last part of the samples shown too long", "src/io/samples.cpp", "std::min(format_.draws_per_part, draws - first)",
          "format_.draws_per_part", FILES),
    Error("an infinite number in summary.json", "src/io/json.cpp", "std::isfinite(*x)", "!std::isnan(*x)", FILES),
    Error("the checkpoint before the newest not kept", "src/io/checkpoint.cpp", "std::max(keep, 2)", "std::max(keep, 1)", FILES),
    Error("a number that is not finite named by this rank's tile", "src/io/checkpoint.cpp", "if (f.by_tile) index[0] += f.rows.first;", "",
          FILES),
    Error("a value that was not recorded repeats the last one", "src/io/history.cpp",
          "for (auto& [name, series] : series_) series.values.resize(steps_.size(), missing);",
          "for (auto& [name, series] : series_) "
          "series.values.resize(steps_.size(), series.values.empty() ? missing : series.values.back());",
          FILES),
    # deck
    Error("an hour has 60 seconds", "src/deck/duration.cpp", "return 3600;", "return 60;", ("deck.ranks_1",)),
    Error("a bound that is excluded passes", "src/deck/schema.cpp", "(k.lowest_open && v == k.lowest)", "false", ("deck.ranks_1",)),
    Error("columns of messages counted in bytes", "src/deck/toml.cpp", "(static_cast<unsigned char>(c) & 0xc0) != 0x80", "c != 0",
          ("deck.ranks_1",)),
    Error("two letters exchanged cost two edits", "src/deck/nearest.cpp", "before[j - 2] + 1", "before[j - 2] + 2", ("deck.ranks_1",)),
    # networks
    Error("a factor of 2 in the chain rule of second derivatives", "src/networks/layer_kernels.cpp", "std::fma(2 * slope1, g2[l], a1)",
          "std::fma(slope1, g2[l], a1)", NETWORKS),
    Error("random masks of a pair are no complements", "src/networks/coupling.cpp", "std::uint64_t(k / 2)",
          "std::uint64_t(k)", NETWORKS),
    Error("weights at the start without the factor of rectifiers", "src/networks/mlp.cpp", "(rectifies ? 2. : 1.)", "1.", NETWORKS),
    # models
    Error("normalisation of the reference takes twice the log-variance", "src/models/gaussian_rbm.cpp",
          "(std::log(2 * std::numbers::pi) + z) / 2", "std::log(2 * std::numbers::pi) / 2 + z", MACHINES),
    Error("gradient of the log-variance of parametrisation A", "src/models/gaussian_rbm.cpp", "per_deviation_ ? Real(0.5) : Real(1)",
          "Real(1)", MODELS + OBJECTIVES),
    Error("self-couplings in a Hopfield network's energy", "src/models/hopfield.cpp", "double(units_ * patterns_)", "0.",
          MODELS),
    Error("precision matrix of the autoregressive Gaussian at its ends", "src/energies/gaussian.cpp", "i == 0 || i == dimension - 1",
          "i == 0",
          ENERGIES),
    Error("reference mean of the Gaussian field without its precision", "src/models/gaussian_mrf.cpp", "(1 - beta) * t(i) * m(i)",
          "(1 - beta) * m(i)", MACHINES),
    Error("volume term of a flow with diagonal S", "src/models/nice.cpp", "g.values[i] * std::exp(p.values[i]) - 1",
          "g.values[i] * std::exp(p.values[i])", MODELS + OBJECTIVES),
    Error("shared weights of ratings counted once a user", "src/models/softmax_rbm.cpp", "(k < levels ? counts(tile, l, k) : Real(1))",
          "Real(1)", MODELS + OBJECTIVES),
    Error("radius of random patterns", "src/models/modern_hopfield.cpp", "std::sqrt(double(o.dimension - 1))",
          "std::sqrt(double(o.dimension))", MODELS),
    # samplers
    Error("masses from variances in place of deviations", "src/samplers/position_moments.cpp", "(n * std::log(v) + more * mean) / (n + more) / 2",
          "(n * std::log(v) + more * mean) / (n + more)", (samplers("Hmc"),)),
    Error("number of mass adaptations not in the checkpoint", "src/samplers/position_moments.cpp", 'state.add_scalar(group + "/calls", calls_);',
          "",
          (samplers("Hmc"), "driver.restart")),
    Error("trajectories half a leapfrog too long", "src/samplers/scheme.hpp", "2 * mean - 1", "2 * mean",
          (samplers("Hmc", "DoubleWell", "Acceptance", "Adaptation"),), at="std::uint32_t(2 * mean - 1)"),
    Error("hmc's step does not grow with temperature", "src/samplers/replica_exchange.cpp", "o.step_size * std::sqrt(t)", "o.step_size",
          LADDERS),
    Error("noise of annealed Langevin too small", "src/samplers/annealed_langevin.cpp", "std::sqrt(2 * eta)", "std::sqrt(eta)",
          (samplers("Annealed"),)),
    Error("runs of rejections forgotten at each look", "src/samplers/rejection_runs.cpp", "counts(t, present, l) + rejected", "rejected",
          (samplers("Rejection"),)),
    Error("round trips counted without the hottest rung", "src/samplers/ladder.cpp", "Real(1.5)", "Real(0.5)", LADDERS),
    Error("adaptation shares the units' noise", "src/samplers/hee_langevin.cpp", "xi_v.row[k][l]", "xi.row[k][l]", (samplers("Hee"),)),
    Error("uniform starts on one side of the centre", "src/samplers/chains.cpp", "(2 * random::uniform(w.w[k]) - 1)",
          "random::uniform(w.w[k])",
          (samplers("InitialState", "RestartSome"),)),
    # objectives
    Error("directions of unit length", "src/objectives/score_matching.cpp", "std::sqrt(Real(d) / square)",
          "std::sqrt(Real(1) / square)", OBJECTIVES),
    Error("factor of the lateral decay", "src/objectives/hee_local.cpp", "2 * options_.lateral_decay * rate",
          "options_.lateral_decay * rate",
          LEARNING),
    Error("pseudo-likelihood summed over updates", "src/objectives/pseudo_likelihood.cpp",
          "batches_.batch() * std::max<Index>(updates_since_report_, 1)", "batches_.batch()", OBJECTIVES),
    Error("factor of the energy penalty", CONTRASTIVE, "2 * options_.energy_penalty * scale", "options_.energy_penalty * scale",
          OBJECTIVES),
    Error("the replay buffer's first chains always", CONTRASTIVE, "(last_ + g) % memory_.buffer.size()", "g % memory_.buffer.size()", OBJECTIVES),
    Error("number of offset updates not in the checkpoint", CONTRASTIVE,
          'state.add_scalar("objective/offset_updates", offset_updates_);', "", OBJECTIVES + RESTART),
    Error("the same noise in every update of denoising", "src/objectives/denoising_score_matching.cpp", "p.update", "0", OBJECTIVES,
          at="draw_normals(noise_memory_.noise, random::Stream::denoising_noise, p.update, p.first)"),
    Error("likelihoods of earlier rows in the mean", "src/objectives/exact_likelihood.cpp", "likelihood_ = 0;", "", OBJECTIVES,
          at="likelihood_ = 0;\n  updates_since_report_ = 0;"),
    # optimizers
    Error("weight decay without the learning rate", "src/optimizers/adam.cpp", "1 - rate * options_.weight_decay",
          "1 - options_.weight_decay",
          OPTIMIZERS),
    Error("the schedule ends after the training", "src/optimizers/optimizer.cpp", "updates - o.warmup_updates", "updates", OPTIMIZERS),
    Error("length of a gradient without its last entries", "src/optimizers/optimizer.cpp", "i < end", "false", OPTIMIZERS,
          at="for (; i < end; i++) partial[0]"),
    # estimators
    Error("errors as if all draws were independent", "src/estimators/sample_set.cpp", "squares[k] / (chains - 1) / chains",
          "squares[k] / (chains - 1) / chains / double(s.draws)", ESTIMATORS),
    Error("errors of ratings as if users were independent of theirs", "src/estimators/ratings.cpp", "truth[k + 1].user == truth[k].user",
          "false", ESTIMATORS),
    Error("spread of the jackknife by its number of groups", "src/estimators/distances.cpp", "squares * (n - 1) / n",
          "squares / n / (n - 1)",
          ESTIMATORS),
    Error("unknown reverse estimate swallowed by the upper end of log Z", "src/estimators/log_z.cpp", "!(end <= highest)", "end > highest",
          ESTIMATORS),
    Error("half of a periodic lattice's states", "src/estimators/ising.cpp", "averages.log_z += std::log(2.);", "", ESTIMATORS,
          at="if (mirrored) averages.log_z += std::log(2.);"),
    Error("autocorrelation time without its last term", "src/estimators/convergence.cpp", "-1 + rho[kept]", "-1.", ESTIMATORS),
    Error("error of the acceptance ratio not reduced by 1/n", "src/estimators/annealing.cpp", "(squares / sum / sum - 1 / n)",
          "(squares / sum / sum)", ESTIMATORS),
    # driver
    Error("no time kept for the last checkpoint", "src/driver/stop.cpp", "std::min(reserve, walltime_ / 2)", "0.", ("driver.stop",)),
    Error("learning rate of a later machine by the whole run", "src/driver/train_task.cpp", "update - phase.first_update", "update",
          ("driver.learning",)),
    Error("best distance to the validation items not in the checkpoint", "src/driver/train_task.cpp",
          'state.add_scalar("estimate/validation_distance", best_distance_);', "", ("driver.learning",)),
    Error("colours left out of a clamped rectangle", "src/samplers/clamp.cpp", "(right - left + 1) * depth", "right - left + 1",
          ("driver.clamp",)),
    Error("error of a ratio without that of its denominator", "src/estimators/sample_set.cpp", "value * b.error", "0.",
          ESTIMATORS),
    Error("conservative likelihoods by the lower end of log Z", "src/estimators/likelihoods.cpp", "z.upper()", "z.lower()",
          ("driver.likelihood",), at='add_likelihoods(free_energy, z.upper(), "_conservative"'),
    Error("a restart on another processor passes", "src/driver/continuation.cpp", "info.machine == machine_identity()", "true", RESTART),
    Error("networks of the second load share their patterns", "src/estimators/hopfield.cpp",
          "o.networks * std::ssize(overlaps)", "Index{0}", ("driver.learning",)),
    Error("acceptance of a draw counts from the warm-up on", "src/driver/sample_task.cpp", "reset_counts();", "", RESTART,
          at="samples_.append(step, {chains_.x}, statistics);\n    reset_counts();"),
)
