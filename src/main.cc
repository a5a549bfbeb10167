#include "cli/run.h"

int main(int argc, char** argv) { return mailward::run(argc, argv); }
