// history.h5: named numbers by step, one dataset each over the dimension scale `step`, which xarray opens as a data set.
#pragma once
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "comm/communicator.hpp"
#include "io/hdf5.hpp"
#include "io/provenance.hpp"
#include "io/run_directory.hpp"

namespace partita {

// Timings differ from run to run; results are the same bits for the same deck.
enum class SeriesKind { result, timing };

// The root holds the rows; on other ranks define and record do nothing. Steps ascend. A number that a row does not have is NaN.
class History {
 public:
  History(RunDirectory, Communicator, Provenance);

  // Defines a series; `doc`, stored as its attribute, tells what it means, with unit and source. `former_name`: its name in the histories
  // of earlier versions, if it had another.
  void define(std::string const& name, std::string const& doc, SeriesKind = SeriesKind::result, std::string const& former_name = {});
  // Adds values to the row of this step, which is the last row or a new one. Names that were not defined become results without `doc`.
  void record(Index step, std::vector<std::pair<std::string, double>> const& values);

  // Collective. Replaces history.h5 by all rows so far; called before each checkpoint, so that no row is lost. The previous file stays as
  // history.earlier.h5. Both have a manifest: a kill at any moment leaves one of them intact.
  void flush() const;
  // Collective; on restart, after the definitions: reads the rows up to this step and drops later ones. Where history.h5 is lost or
  // damaged, history.earlier.h5 is read, or nothing where that is damaged too; a warning tells which rows are lost.
  void restore(Index last_step);

  // On the root; empty elsewhere.
  std::vector<Index> const& steps() const { return steps_; }
  std::vector<double> const& series(std::string const& name) const { return series_.at(name).values; }

 private:
  void write(hdf5::File const&) const;
  void read(Path const&, Index last_step);
  std::string present_name(std::string const& in_file) const;
  struct Series {
    std::string doc, former_name;
    SeriesKind kind = SeriesKind::result;
    std::vector<double> values;  // one a row
  };
  RunDirectory run_;
  Communicator ranks_;
  Provenance provenance_;
  std::vector<Index> steps_;
  std::map<std::string, Series> series_;
};

}  // namespace partita
