#pragma once

#if defined(_MSC_VER)
#define DISTILTUNE_NOINLINE __declspec(noinline)
#else
#define DISTILTUNE_NOINLINE __attribute__((noinline))
#endif
