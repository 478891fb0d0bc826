#include <stdio.h>
#include <stdlib.h>

#include "sieve.h"

static void print(unsigned prime)
{
    printf("%u\n", prime);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: primes LIMIT\n");
        return 2;
    }
    sieve((unsigned)strtoul(argv[1], NULL, 10), print);
    return 0;
}
