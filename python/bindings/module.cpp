// SPDX-License-Identifier: Apache-2.0
// saltus._core: the C++ library for Python. Private: the package python/saltus checks the
// arguments, holds the docstrings and gives arrays their shapes; nothing else calls this.
#include <exception>

#include "bind.hpp"
#include "saltus/error.hpp"
#include "saltus/version.hpp"

NB_MODULE(_core, module) {
  // What a notebook or a test still holds when Python ends is no leak.
  nanobind::set_leak_warnings(false);
  module.attr("__version__") = saltus::version;
  nanobind::register_exception_translator([](const std::exception_ptr& error, void*) {
    try {
      std::rethrow_exception(error);
    } catch (const saltus::InvalidInput& e) {
      PyErr_SetString(PyExc_ValueError, e.what());
    } catch (const saltus::FileError& e) {
      PyErr_SetString(PyExc_OSError, e.what());
    } catch (const saltus::Interrupted& e) {
      // Python knows of the signal, too, and is asked only once.
      if (PyErr_CheckSignals() == 0) PyErr_SetString(PyExc_KeyboardInterrupt, e.what());
    } catch (const saltus::Error& e) {
      PyErr_SetString(PyExc_RuntimeError, e.what());
    }
  });
  saltus::python::bind_network(module);
  saltus::python::bind_record(module);
  saltus::python::bind_ghosts(module);
  saltus::python::bind_data(module);
  saltus::python::bind_train(module);
}
