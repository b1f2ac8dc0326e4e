/* net.h - the guest's network. */
#ifndef XH_GUEST_NET_H
#define XH_GUEST_NET_H

/* Give eth0 an address and a default route: "ADDRESS/BITS,GATEWAY"; "" = there is none.
 * Waits for its driver. 0 or a negative errno. */
int xh_net_raise(const char *text);

#endif
