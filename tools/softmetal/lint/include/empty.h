// What stands for a header of C or C++.
