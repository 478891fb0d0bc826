#include "sieve.h"

#include <stdlib.h>

void sieve(unsigned limit, void (*found)(unsigned prime))
{
    char *composite = calloc(limit + 1, 1);
    if (composite == NULL)
        abort();
    for (unsigned n = 2; n <= limit; n++) {
        if (composite[n])
            continue;
        found(n);
        for (unsigned long multiple = (unsigned long)n * n; multiple <= limit; multiple += n)
            composite[multiple] = 1;
    }
    free(composite);
}
