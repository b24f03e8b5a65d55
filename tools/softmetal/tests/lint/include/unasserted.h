struct unasserted { // finds: layout
    uint n;
};
