# FreePBX 16 runs on Asterisks that have macros: what 17 writes as subroutines named macro-NAME becomes macros again.
s/Gosub\(macro-([a-z-]+),s,1\((.*)\)\)$/Macro(\1,\2)/
s/U\(macro-/M(/
s/GOSUB_RESULT/MACRO_RESULT/
/^\[macro-/,/^\[[^m]/ s/Return\(\)/MacroExit()/
