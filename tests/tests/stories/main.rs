//! Stories: what users rely on, told with real hosts, real traffic and the real `lb`.

mod the_lab;
