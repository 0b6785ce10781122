#include <cstdio>
int main() { std::puts("myelin 0.1.0"); }
