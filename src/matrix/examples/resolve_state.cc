// Reads the events of a room from a file, one JSON object a line; prints why each was accepted or rejected, and the
// state of the room that this comes to.
#include <fstream>
#include <iostream>
#include <iterator>

#include "matrix/explain.h"

int main(int argc, char** argv) {
  std::ifstream file(argc > 1 ? argv[1] : "/dev/stdin");
  std::string lines{std::istreambuf_iterator<char>(file), {}};
  auto explanation = myelin::explain_room(lines);
  if (!explanation) {
    std::cerr << explanation.error().message << '\n';
    return 1;
  }
  std::cout << myelin::to_text(*explanation);
}
