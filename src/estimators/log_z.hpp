// log Z of a model of units by forward and reverse annealing (estimators/annealing.hpp), with what tells whether the two can be trusted.
//
// Both ends can miss the same mode: one that is far from the reference at beta = 0 is found neither by the chains that go forth nor by
// tempered chains that came along the same path. The way back therefore also starts from items of data, which know the modes that count,
// and only starts that know nothing of the path, exact draws or data, make it an end of a bracket.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "estimators/annealing.hpp"
#include "estimators/importance.hpp"
#include "estimators/item_energies.hpp"
#include "samplers/sampler.hpp"

namespace partita {

struct LogZOptions {
  Schedule betas;
  Index chains = 100;   // of each direction, and of each set of starts
  Index rungs = 16;     // of the tempered chains
  Index warmup = 1000;  // sweeps before chains count as draws of the model
};

// Chains from the model to the reference.
struct WayBack {
  std::string starts;  // what they are
  std::vector<double> log_weights;
  LogMean mean;
};

struct LogZ {
  double reference;             // log Z_0
  std::vector<double> forward;  // log weights
  LogMean forward_mean;
  std::vector<WayBack> back;  // the first counts, and others have to agree with it
  bool independent;           // the first one's starts owe nothing to the path: exact draws, or items of data
  // From random units of two values, beside starts from data: chains that know neither data nor path, and end where they end. They may stay
  // in modes of little mass, from where log Z is too low; where it is higher than the way forth they found a mode that the others miss.
  std::optional<WayBack> from_random;
  std::optional<double> exact;  // by enumeration, where the starts are exact draws
  std::vector<Sampler::Result> tempering;

  Estimate up() const { return {reference + forward_mean.value, forward_mean.error()}; }
  Estimate down(WayBack const& way) const { return {reference - way.mean.value, way.mean.error()}; }
  // Bennett's acceptance ratio of the way forth and the first one back; its error is known where both of theirs are and they agree within a
  // nat.
  Estimate ratio() const;
  // The bracket: log Z forth less two standard errors, and the largest one back and two standard errors. NaN where an error is not known,
  // and the upper one where no starts are independent of the path.
  double lower() const;
  double upper() const;
  // 1 where every way back lies within a nat of the way forth, two standard errors of both included, else 0; NaN where what agrees has
  // unknown errors, and without independent starts, whatever agrees. The errors are those of the weights' spread alone: what the samples
  // are too few to show moves the two ways apart. 0 as well where from_random finds more than a nat of mass beyond them, and where the
  // bracket does not hold the exact value.
  double converged() const;
  bool missed_mode() const;
};

// `items`: of data, one a chain of each way back; chain c starts at item c. Without them, where the model cannot be enumerated, there is
// nothing independent. Collective; the same bits on any number of ranks. Failure(numerical) for weights that are not finite.
LogZ estimate_log_z(GibbsModel&, LogZOptions const&, std::optional<ItemTiles> const& items, Communicator const&, random::Key);

}  // namespace partita
