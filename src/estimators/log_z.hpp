// log Z of a model of units by forward and reverse annealing (estimators/annealing.hpp), with checks of whether the two can be trusted.
//
// Both directions can miss the same mode: one that is far from the reference at beta = 0 is found neither by forward annealing nor by
// tempered chains that followed the same path. Reverse annealing therefore also starts from items of data, which are in the modes that
// matter, and gives an end of a bracket only if its starts (exact draws or data) are independent of the path.
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
  Index chains = 100;   // for each direction and each set of starts
  Index rungs = 16;     // temperatures of the tempered chains
  Index warmup = 1000;  // sweeps after which chains are taken as draws of the model
};

// Reverse annealing: chains from the model to the reference.
struct ReverseAnnealing {
  std::string starts;  // description of the starts
  std::vector<double> log_weights;
  LogMean mean;
};

struct LogZ {
  double reference;             // log Z_0
  std::vector<double> forward;  // log weights
  LogMean forward_mean;
  std::vector<ReverseAnnealing> reverse;  // the first is used, and the others have to agree with it
  bool independent;                       // the first one's starts are independent of the path: exact draws, or items of data
  // In addition to starts from data: starts from random units of two values, which depend neither on data nor on the path. They may stay
  // in modes of little mass, where log Z comes out too low; if it is higher than forward, they have found a mode that the others miss.
  std::optional<ReverseAnnealing> from_random;
  std::optional<double> exact;  // log Z by enumeration, where the starts are exact draws
  std::vector<Metric> tempering;

  Estimate forward_log_z() const { return {reference + forward_mean.value, forward_mean.error()}; }
  Estimate reverse_log_z(ReverseAnnealing const& way) const { return {reference - way.mean.value, way.mean.error()}; }
  // Bennett's acceptance ratio of forward and first reverse annealing; its error is known if both errors are known and they agree within a
  // nat.
  Estimate ratio() const;
  // The bracket: forward log Z minus two standard errors, and the largest reverse log Z plus two standard errors. NaN where an error is not
  // known; the upper end also where no starts are independent of the path.
  double lower() const;
  double upper() const;
  // 1 if every reverse log Z differs from the forward one by at most a nat, two standard errors of both included, else 0. NaN if they agree
  // within a nat but an error is unknown, or there are no independent starts. The errors are those of the weights' spread alone: an unseen
  // tail moves the two directions apart. Also 0 if from_random finds more than a nat beyond them, and if the bracket does not contain the
  // exact value.
  double converged() const;
  bool missed_mode() const;
};

// `items`: of data, one for each chain of reverse annealing; chain c starts at item c. Without them, and if the model cannot be enumerated,
// no starts are independent. Collective; the same bits on any number of ranks. Failure(numerical) for weights that are not finite.
LogZ estimate_log_z(GibbsModel&, LogZOptions const&, std::optional<ItemTiles> const& items, Communicator const&, random::Key);
// Lists what it holds on one of so many ranks; `temperatures`: those of the betas, which need not be there.
void list_log_z(Arrays, GibbsModel const&, LogZOptions const&, Index temperatures, Index ranks);

}  // namespace partita
