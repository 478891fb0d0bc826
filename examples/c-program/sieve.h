/* Calls `found` with each prime up to `limit`, in order. */
void sieve(unsigned limit, void (*found)(unsigned prime));
