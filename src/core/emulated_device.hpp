// A device's memory on a machine without a GPU (PARTITA_DEVICE_EMULATION). Kernels run on the host, but their arrays lie in memory of its
// own that is closed outside kernels and copies, and full of NaN when it is new; the code takes the branches of a GPU. So a host access to
// an array of the device, a read of what nobody has written, and a strided copy fail here as they would there.
#pragma once
#include <Kokkos_Core.hpp>
#include <cstring>

#if KOKKOS_VERSION >= 40000
#error "The emulated device is made for Kokkos 3.4 to 3.7: other versions have other hooks for memory spaces"
#endif

namespace partita {

// A memory space of Kokkos.
class EmulatedDevice {
 public:
  using memory_space = EmulatedDevice;
  using execution_space = Kokkos::DefaultExecutionSpace;
  using device_type = Kokkos::Device<execution_space, memory_space>;
  using size_type = std::size_t;

  void* allocate(std::size_t bytes) const;
  void* allocate(char const* label, std::size_t bytes, std::size_t = 0) const;
  void deallocate(void*, std::size_t bytes) const;
  void deallocate(char const* label, void*, std::size_t bytes, std::size_t = 0) const;
  static constexpr char const* name() { return "EmulatedDevice"; }

  // Closes the memory, and opens it for every kernel and copy of Kokkos from then on. Called once, after Kokkos::initialize.
  static void install();
  // While the memory is open. They nest.
  static void open();
  static void close();
  static bool is_open();
  // Whether the host cannot follow an address into the closed memory, either: processors without protection keys only refuse elements of
  // Views. Known once there is an array.
  static bool closes_addresses();
  // Failure(internal) where it is closed: View::operator() on the host.
  static void require_open();

  // Copies `bytes` where one or both places are in the memory.
  static void copy(void* to, void const* from, std::size_t bytes);

  // Since the start of the process; copies are waits, too, and so are reductions.
  struct Counts {
    std::uint64_t launches, waits, allocations, copies, copied_bytes;
  };
  static Counts counts();
  static void count_wait();
};

}  // namespace partita

namespace Kokkos::Impl {

template <>
struct MemorySpaceAccess<HostSpace, partita::EmulatedDevice> {
  enum : bool { assignable = false, accessible = false, deepcopy = true };
};
template <>
struct MemorySpaceAccess<partita::EmulatedDevice, HostSpace> {
  enum : bool { assignable = false, accessible = false, deepcopy = true };
};
template <>
struct HostMirror<partita::EmulatedDevice> {
  using Space = HostSpace;
};

// Called by View::operator(), in kernels, too.
template <>
struct verify_space<HostSpace, partita::EmulatedDevice, false> {
  static void check() { partita::EmulatedDevice::require_open(); }
};

// The record of an allocation, which has a header in front of the array.
template <>
class SharedAllocationRecord<partita::EmulatedDevice, void> : public SharedAllocationRecord<void, void> {
  using Base = SharedAllocationRecord<void, void>;

 public:
  SharedAllocationRecord(SharedAllocationRecord const&) = delete;
  SharedAllocationRecord& operator=(SharedAllocationRecord const&) = delete;
  std::string get_label() const override { return label_; }

 protected:
  SharedAllocationRecord(partita::EmulatedDevice const& space, std::string const& label, std::size_t size, Base::function_type release)
      : Base(
#ifdef KOKKOS_ENABLE_DEBUG
            &root(),
#endif
            checked_allocation_with_header(space, label, size), size + sizeof(SharedAllocationHeader), release),
        space_(space),
        label_(label) {
    SharedAllocationHeader header;
    header.m_record = this;
    std::strncpy(header.m_label, label.c_str(), SharedAllocationHeader::maximum_label_length - 1);
    header.m_label[SharedAllocationHeader::maximum_label_length - 1] = 0;
    partita::EmulatedDevice::open();
    std::memcpy(static_cast<void*>(m_alloc_ptr), &header, sizeof header);
    partita::EmulatedDevice::close();
  }
  ~SharedAllocationRecord() override { space_.deallocate(label_.c_str(), m_alloc_ptr, m_alloc_size); }

 private:
#ifdef KOKKOS_ENABLE_DEBUG
  static Base& root() {
    static Base first;
    return first;
  }
#endif
  partita::EmulatedDevice space_;
  std::string label_;
};

// Kokkos' own copies between the memories; those of a program go through core/copy.hpp.
struct EmulatedCopy {
  EmulatedCopy(void* to, void const* from, std::size_t bytes) { partita::EmulatedDevice::copy(to, from, bytes); }
};
template <class Space>
struct DeepCopy<partita::EmulatedDevice, partita::EmulatedDevice, Space> : EmulatedCopy {
  using EmulatedCopy::EmulatedCopy;
  DeepCopy(Space const&, void* to, void const* from, std::size_t bytes) : EmulatedCopy(to, from, bytes) {}
};
template <class Space>
struct DeepCopy<partita::EmulatedDevice, HostSpace, Space> : EmulatedCopy {
  using EmulatedCopy::EmulatedCopy;
  DeepCopy(Space const&, void* to, void const* from, std::size_t bytes) : EmulatedCopy(to, from, bytes) {}
};
template <class Space>
struct DeepCopy<HostSpace, partita::EmulatedDevice, Space> : EmulatedCopy {
  using EmulatedCopy::EmulatedCopy;
  DeepCopy(Space const&, void* to, void const* from, std::size_t bytes) : EmulatedCopy(to, from, bytes) {}
};

}  // namespace Kokkos::Impl
