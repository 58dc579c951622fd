// Who came while a kiosk was without network, and is not confirmed.

import { t } from "../page.js";

/** What the kiosk did with them. */
export const heldText = ({ provisional }) => t(provisional ? "held.in" : "held.out");
