// Generated manifests, injected in redirect mode.
import { testGenerated } from './generated.ts';

testGenerated('redirect', [2500, 5000]);
