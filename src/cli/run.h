// The program: command line in, exit status out.
#pragma once

namespace mailward {

int run(int argc, char** argv);

}  // namespace mailward
